"""What metrics say, without a word of how they are told.

Reading order: record (what the books are asked), meters (what is counted in passing), instruments
(the table of all metrics), families (one metric with its values), then who fills them: lived,
standing, traffic.
"""
