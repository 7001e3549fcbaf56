import BusEngines
import Configuration
import HangGuard
import Kafka
import Redis
import Testing

@Suite("The engine that the settings choose", .guarded)
struct EngineSettingsTests {
    @Test("the database and the memory need no engine")
    func none() throws {
        for bus in ["postgres", "memory"] {
            var configuration = Configuration()
            configuration.bus = bus
            #expect(try EngineSettings(configuration) == nil)
        }
    }

    @Test("kafka takes the brokers of the intake, redis its address")
    func engines() throws {
        var configuration = Configuration()
        configuration.kafka.brokers = ["a:1", "b:2"]
        configuration.redis.url = "redis://cache:7"
        configuration.busTopic = "platform.bus"
        configuration.bus = "kafka"
        #expect(
            try EngineSettings(configuration)
                == .kafka(
                    KafkaBusSettings(
                        brokers: "a:1,b:2", topic: "platform.bus", group: configuration.kafka.group,
                        fetchWait: configuration.kafka.fetchWait,
                        properties: ClientProperties([]))))
        configuration.bus = "redis"
        let settings = RedisBusSettings(address: try RedisAddress("redis://cache:7"), name: "platform.bus")
        #expect(try EngineSettings(configuration) == .redis(settings))
        #expect(settings.channels.first == "platform.bus.0" && settings.channels.count == 16)
    }

    @Test("what is missing or wrong is told by the setting's name")
    func refused() {
        var configuration = Configuration()
        configuration.bus = "redis"
        #expect { try EngineSettings(configuration) } throws: { "\($0)" == "redis.url is not set, and bus is redis" }
        configuration.redis.url = "redis://cache/1"
        #expect { try EngineSettings(configuration) } throws: { "\($0)".hasPrefix("redis.url: names a database") }
        configuration.busTopic = "with space"
        #expect { try EngineSettings(configuration) } throws: { "\($0)".hasPrefix("bus-topic: ") }
    }
}
