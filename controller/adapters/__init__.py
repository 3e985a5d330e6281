"""The world behind the ports: SQL, file systems, Ray's REST APIs, Prometheus; and fakes."""
