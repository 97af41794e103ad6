/** The sample submission of the service's description, to the letter. */
export const SAMPLE = {
  task_id: "feature-1087",
  title: "Implement invoice PDF export",
  description: "Add PDF export support to the billing dashboard including automated regression tests.",
  priority: "high",
  metadata: {
    repository: "git@github.com:appsmithery/dev-tools.git",
    requester: "product-management",
    due_date: "2025-11-22",
  },
};
