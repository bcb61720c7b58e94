"""Who may use the portal: accounts, passwords, sessions, sign-in links, and the audit log of what they did."""
