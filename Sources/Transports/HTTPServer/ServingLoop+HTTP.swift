package import HTTP
import Linux
import Reactor
import Sessions
import Telemetry
import WSProtocol

/// Answers plain requests. Called on a loop; must not block.
package protocol HTTPRoutes: AnyObject, Sendable {
    func answer(_ request: HTTPRequest, _ body: [UInt8]) -> HTTPResponse
}

extension ServingLoop {
    /// Answers the requests that are whole, as long as the client takes the answers; the others wait, unread or in the buffer, for
    /// `drained`.
    func serveHTTP(_ endpoint: Endpoint) {
        while endpoint.stage == .http {
            if table.isCongested(endpoint.id) { return table.pauseReading(endpoint.id) }
            guard advance(endpoint) == true else { return }
        }
    }

    /// Parses what is there. True: a request was answered and more may follow; false or nil: wait, or it is over.
    private func advance(_ endpoint: Endpoint) -> Bool? {
        guard var exchange = endpoint.exchange, !exchange.buffer.isEmpty || exchange.request != nil else { return nil }
        endpoint.exchange = nil
        defer { if endpoint.stage == .http, endpoint.exchange == nil { endpoint.exchange = exchange } }

        if exchange.request == nil {
            let received = exchange.buffer
            switch exchange.parser.parse(received.span) {
            case .incomplete:
                limitRequest(endpoint, exchange)
                return false
            case .rejected(let rejection):
                metrics.requestsRefused.add("\(rejection.status)")
                respond(endpoint, rejection.response, keepAlive: false)
                return nil
            case .request(let request, let headBytes):
                exchange.request = request
                exchange.headBytes = headBytes
                // RFC 9110 §10.1.1: not when the body has begun to arrive.
                if request.expectsContinue, exchange.buffer.count == headBytes, !isUpgrade(request) {
                    table.send(endpoint.id, bytes: HTTPResponse.goOn)
                }
            }
        }
        guard let request = exchange.request else { return false }
        let whole = exchange.headBytes + request.contentLength
        if isUpgrade(request) {
            let rest = Array(exchange.buffer.dropFirst(exchange.headBytes))
            upgrade(endpoint, request, rest)
            return nil
        }
        guard exchange.buffer.count >= whole else {
            limitRequest(endpoint, exchange)
            return false
        }
        let body = Array(exchange.buffer[exchange.headBytes..<whole])
        metrics.requests.add()
        let response = routes.answer(request, body)
        exchange = HTTPExchange(limits: limits.http, buffer: Array(exchange.buffer.dropFirst(whole)))
        respond(endpoint, response, keepAlive: request.keepAlive, headOnly: request.method == .head)
        return request.keepAlive
    }

    /// A request has begun and is not whole: the patience of an idle connection is over.
    private func limitRequest(_ endpoint: Endpoint, _ exchange: HTTPExchange) {
        guard !exchange.isTimed else { return }
        exchange.isTimed = true
        endpoint.until = loop.now + limits.headTimeout
        arm(endpoint)
    }

    private func isUpgrade(_ request: HTTPRequest) -> Bool {
        if let path = application.path { return request.path == path }
        return request.isUpgrade
    }

    func respond(_ endpoint: Endpoint, _ response: HTTPResponse, keepAlive: Bool, headOnly: Bool = false) {
        var bytes: [UInt8] = []
        response.serialize(into: &bytes, keepAlive: keepAlive, headOnly: headOnly, date: date())
        table.send(endpoint.id, bytes: bytes)
        if keepAlive {
            endpoint.until = loop.now + limits.keepAliveTimeout
            return arm(endpoint)
        }
        endpoint.stage = .closing
        endpoint.until = loop.now + limits.closeTimeout
        arm(endpoint)
        table.close(endpoint.id, .afterFlush)
    }

    private func upgrade(_ endpoint: Endpoint, _ request: HTTPRequest, _ rest: [UInt8]) {
        if let refusal = application.refusal(of: request) {
            metrics.upgradesRefused.add("request")
            return respond(endpoint, refusal, keepAlive: false)
        }
        switch ServerHandshake.answer(request, policy: application.handshake) {
        case .reject(let rejection):
            metrics.upgradesRefused.add("\(rejection)")
            respond(endpoint, rejection.response, keepAlive: false)
        case .accept(let agreement):
            metrics.socketsOpened.add()
            table.send(endpoint.id, bytes: agreement.responseHead)
            endpoint.exchange = nil
            endpoint.stage = .socket
            endpoint.format = FrameFormat.of(agreement.deflate)
            endpoint.isUpgraded = true
            endpoint.kind = FrameMachine.Kind(agreement.deflate)
            if endpoint.kind == .own {
                endpoint.frames = FrameMachine(.own, limits: limits.socket, agreement: agreement.deflate, pool: deflaters)
            }
            endpoint.until = application.introduction.map { loop.now + $0 } ?? Endpoint.never
            application.opened(endpoint, request, agreement)
            arm(endpoint)
            guard !rest.isEmpty else { return }
            var rest = rest
            var span = rest.mutableSpan
            receiveFrames(endpoint, &span)
        }
    }
}
