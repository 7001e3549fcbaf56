import Bytes

/// Names an HTTP request whose commands are being carried out.
package struct ExchangeID: Hashable, Sendable {
    let token: UInt64
}

/// HTTP requests that brought commands and wait for all replies to them.
///
/// An exchange is held once while its commands are read and once for everything a command waits for. When nothing holds it any more, its
/// replies are complete.
final class Exchanges {
    private struct Exchange {
        var holds = 1
        var replies: [UInt8] = []
        let complete: ([UInt8]) -> Void
    }

    private var exchanges = SlotTable<Exchange>()

    /// - Parameter complete: is given the replies, a line each with its end; called once.
    func begin(_ complete: @escaping (_ replies: [UInt8]) -> Void) -> ExchangeID {
        ExchangeID(token: exchanges.insert(Exchange(complete: complete)))
    }

    func hold(_ id: ExchangeID?) {
        guard let id else { return }
        exchanges.change(id.token) { $0.holds += 1 }
    }

    func release(_ id: ExchangeID?) {
        guard let id else { return }
        var isComplete = false
        exchanges.change(id.token) {
            $0.holds -= 1
            isComplete = $0.holds == 0
        }
        if isComplete, let exchange = exchanges.remove(id.token) { exchange.complete(exchange.replies) }
    }

    /// Bytes of the replies so far.
    func bytes(of id: ExchangeID?) -> Int {
        var bytes = 0
        if let id { exchanges.change(id.token) { bytes = $0.replies.count } }
        return bytes
    }

    func append(_ reply: Span<UInt8>, to id: ExchangeID) {
        exchanges.change(id.token) {
            $0.replies.append(copying: reply)
            $0.replies.append(UInt8(ascii: "\n"))
        }
    }
}
