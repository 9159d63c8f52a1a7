"""The suite `retrieval`: pictures found by name, by caption, and by how a name is respelled."""
