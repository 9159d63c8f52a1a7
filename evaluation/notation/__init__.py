"""The suite `notation`: the same words as different transcribers and dictionaries write them."""
