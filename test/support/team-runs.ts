/** A team of one, for runs that are about what an agent is given. */
export const SOLO_TEAM = `team: Solo
agents:
  - name: Solo
    responsibilities: [build]
`;
