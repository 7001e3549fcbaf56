import Kafka

/// The versions of libraries that the system provides: `hub --version` names those that decide what the hub can do.
package enum LinkedLibraries {
    package static var kafka: String { KafkaLibrary.version }
}
