"""The suite `pwesuite`: PWESuite's tasks, beside other embeddings of words by sound."""
