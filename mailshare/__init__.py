"""One mailbox shared by many people, print by mail, fax by mail: the server and the Twisted library underneath it."""
