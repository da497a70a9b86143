// What a device program imports: `import DeviceSDK` brings lines, LEDs, buttons and the board's names with it.
@_exported public import DeviceCore
