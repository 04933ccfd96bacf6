"""From artifacts to report.json, and from there to a page, Markdown and a terminal."""
