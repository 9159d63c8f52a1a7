"""The suite `nonsense`: pictures found by words that nobody ever said."""
