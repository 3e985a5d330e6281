"""What users and drivers ask for, and the reconcilers that make it come true."""
