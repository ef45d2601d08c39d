"""What the agent can call: roads and places, and how a call is written."""
