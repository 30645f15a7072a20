"""The report on a pull request, and the comment that holds it."""
