"""The tree, live, and prompts explained: `/dashboard/cache` and `/dashboard/explain`."""
