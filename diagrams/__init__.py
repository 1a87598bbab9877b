"""Pictures from traces and machines. Nothing here knows a protocol: every name and count comes from what is drawn."""
