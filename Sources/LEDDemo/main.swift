print("LEDDemo")
