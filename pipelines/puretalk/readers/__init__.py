"""Reading what is published: connections, results as text, the life of one assistant, how fresh it is."""
