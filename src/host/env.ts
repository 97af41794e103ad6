/** The only place that reads the process's environment. Everything else is handed the values it needs. */
export function environment(): Readonly<Record<string, string>> {
  const result: Record<string, string> = {};
  for (const [key, value] of Object.entries(process.env)) if (value !== undefined) result[key] = value;
  return result;
}
