"""What an operator wants to know at a glance, read off the stores: figures by region, as Prometheus takes them."""
