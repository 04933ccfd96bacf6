"""What trainings of every kind share; the heavy libraries run in processes of their own."""
