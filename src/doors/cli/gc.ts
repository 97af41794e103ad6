export const gc = (_: unknown): Promise<number> => Promise.resolve(0);
