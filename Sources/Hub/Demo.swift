import Auth
import Embedded
import HTTP
import JSON
import Kafka
import Linux
import Messaging
import Synchronization

/// The services behind the demo page: it signs tokens with the development key and publishes events.
final class Demo: DemoServices {
    private static let tokenLifetime: Int64 = 3_600
    private let signer: TokenSigner
    private let topic: String
    // librdkafka is thread-safe, but `Producer` itself is not, so the lock admits one thread at a time.
    private let producer: Mutex<Producer>

    init(folder: String, settings: DemoSettings) throws(ServerFailure) {
        do throws(EmbeddedFailure) {
            signer = try EmbeddedServices.developmentKey(in: folder)
        } catch {
            throw ServerFailure("preparing the demo", "\(error)")
        }
        topic = settings.topic
        do throws(KafkaError) {
            producer = Mutex(try Producer(ProducerConfiguration(brokers: settings.brokers)))
        } catch {
            throw ServerFailure("preparing the demo", "\(error)")
        }
    }

    func token(_ request: HTTPRequest) -> HTTPResponse {
        guard let subject = (try? HTTPQuery(request.query))?["subject"], let user = UserID(subject) else {
            return HTTPResponse(status: 400, text: "subject: expected a user id, as in /demo/token?subject=alice")
        }
        let now = WallClock.now() / 1_000
        let principal = Principal(
            subject: user.name, institution: "demo", roles: [], channels: [], issuedAt: now, expiresAt: now + Self.tokenLifetime,
            tokenID: nil)
        do {
            let token = try signer.token(for: principal, issuer: EmbeddedServices.issuer, audience: EmbeddedServices.audience)
            var body: [UInt8] = Array(#"{"token":"#.utf8)
            body.appendJSONString(token)
            body.append(UInt8(ascii: "}"))
            return HTTPResponse(
                status: 200, headers: HTTPHeaders([("content-type", "application/json"), ("cache-control", "no-store")]), body: body)
        } catch {
            return HTTPResponse(status: 500, text: "the development key does not sign: \(error)")
        }
    }

    func publish(_ body: [UInt8]) -> HTTPResponse {
        guard case .object? = try? JSONValue.parse(body) else {
            return HTTPResponse(status: 400, text: "expected one event as a JSON object")
        }
        do throws(KafkaError) {
            try producer.withLock { producer throws(KafkaError) in
                // The demo ignores delivery reports, but it must take them so that they do not accumulate.
                _ = producer.poll()
                try producer.produce(OutgoingRecord(topic: topic, key: nil, value: body, headers: []))
            }
            return HTTPResponse(status: 202, text: "on its way to \(topic)")
        } catch {
            return HTTPResponse(status: 503, text: "Kafka did not take it: \(error)")
        }
    }
}
