"""What every part of lts.web stands on: requests and answers as they are on the wire. It knows none of those parts."""
