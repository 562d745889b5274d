"""The public test kit: contracts, a pretend ISP, transcripts."""
