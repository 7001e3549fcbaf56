package import HTTP
import Linux
package import Messaging
package import Reactor

/// Answers requests from memory, at once. Called on a loop; must not block.
package protocol HTTPRoutes: AnyObject, Sendable {
    func answer(_ request: HTTPRequest, _ body: [UInt8]) -> HTTPResponse
}

/// Answers the requests of one path of one loop: at once, later, or with a stream.
///
/// A connection has at most one unanswered request: further ones wait, unread or in its buffer. So a handler may name an unanswered request
/// by its connection.
package protocol HTTPHandler: AnyObject {
    /// - Parameter id: stays valid until the handler has answered, or was told `closed`.
    func answer(_ request: HTTPRequest, _ body: [UInt8], _ id: ConnectionID) -> HTTPAnswer
    /// The answer to a request that the server refuses before the handler gets it.
    func response(to request: HTTPRequest, refusedFor reason: HTTPRefusal) -> HTTPResponse
    /// The client has taken most of what the handler's stream sent.
    func drained(_ id: ConnectionID)
    /// The client sends no more. It may still read.
    func peerEnded(_ id: ConnectionID)
    /// The deadline passed that the handler set for its unanswered request or stream.
    func deadline(_ id: ConnectionID)
    /// The connection is gone, before the answer was given or the stream was ended.
    func closed(_ id: ConnectionID)
}

package enum HTTPRefusal {
    /// The body is larger than the server takes. The connection is closed behind the answer.
    case bodyTooLarge(mostBytes: Int)
    /// Another loop must answer and can take no connection now.
    case busy
    /// The client's address has as many connections as it may. The connection is closed behind the answer.
    case tooManyOfAddress
}

package enum HTTPAnswer {
    case now(HTTPResponse)
    /// The handler will call `HTTPServer.respond` or `HTTPServer.beginStream`.
    case later
    /// Another loop must answer: the connection is handed over to it, with this request.
    case elsewhere(loop: Int)
}

/// Takes connections over that leave HTTP by an upgrade.
package protocol UpgradeHandler: ConnectionDriver {
    /// Whether the request asks for this upgrade.
    func claims(_ request: HTTPRequest) -> Bool
    /// Nil: the connection is the handler's from now on, and it has sent its response.
    func upgrade(_ request: HTTPRequest, _ id: ConnectionID) -> HTTPResponse?
    /// The connection of this slot, when it has no session.
    func isAnonymous(slot: Int) -> AnonymousConnection?
    /// Ends an upgraded connection, in the form of its protocol.
    func end(_ id: ConnectionID, _ reason: EndReason)
}

/// A connection on its way to another loop.
package struct HandedConnection: Sendable {
    let fd: Int32
    let peer: PeerAddress
    /// Answers to earlier requests that the socket has not taken.
    let unsent: [UInt8]
    /// The request that the other loop must answer, and the bytes received after it.
    let received: [UInt8]
}
