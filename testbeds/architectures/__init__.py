"""Small networks in the style of the papers' own, to be trained in the build."""
