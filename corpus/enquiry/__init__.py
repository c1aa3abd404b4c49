"""What a holder of rights asks of builds and runs, and the document that answers."""
