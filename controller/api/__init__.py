"""The gRPC and HTTP side: servicers, converters, the error table."""
