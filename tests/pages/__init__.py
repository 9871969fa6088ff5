"""The built book in real browsers: what a reader sees, clicks and hears, page by page."""
