"""seatrial: puts a deployment through its sea trial on a real Kubernetes cluster."""
