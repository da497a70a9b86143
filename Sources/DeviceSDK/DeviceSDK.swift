// What a device program imports: `import DeviceSDK` brings lines, LEDs, buttons and the board's names with it, the client
// that keeps the device connected, its outbox, its broker addresses, and the buffers that messages are made of.
@_exported public import ClusterClient
@_exported public import DeviceCore
@_exported public import DeviceProtocols
@_exported public import NIOCore
@_exported public import Outbox
