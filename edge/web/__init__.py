"""The pages behind the buttons of a notification, shown by a process that holds neither key nor store."""
