"""Small networks in the style of the papers' networks, trained in the build."""
