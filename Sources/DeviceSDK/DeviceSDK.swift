// What a device program imports: `import DeviceSDK` brings lines, LEDs, buttons and the board's names with it, and the
// client that keeps the device connected.
@_exported public import ClusterClient
@_exported public import DeviceCore
