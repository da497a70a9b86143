print("smq-broker")
