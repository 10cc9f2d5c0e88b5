"""The store on SQL databases. Importing it imports SQLAlchemy."""
