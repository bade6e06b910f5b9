"""A package, so that its tests share fixtures that end with the last of them."""
