/// The demo's files as they are served: path, media type, bytes.
public enum WebPages {
    public struct File: Sendable {
        public let path: String
        public let type: String
        public let bytes: [UInt8]
    }

    public static let all =
        [
            File(path: "/", type: "text/html; charset=utf-8", bytes: PackageResources.index_html),
            File(path: "/icon.svg", type: "image/svg+xml", bytes: PackageResources.icon_svg),
        ] + styles.map { File(path: "/\($0.name)", type: "text/css; charset=utf-8", bytes: $0.bytes) }
        + scripts.map { File(path: "/\($0.name)", type: "text/javascript; charset=utf-8", bytes: $0.bytes) }

    private static let styles: [(name: String, bytes: [UInt8])] = [
        ("demo.css", PackageResources.demo_css),
        ("demo-person.css", PackageResources.demo_person_css),
        ("demo-notifications.css", PackageResources.demo_notifications_css),
        ("demo-conversation.css", PackageResources.demo_conversation_css),
    ]

    private static let scripts: [(name: String, bytes: [UInt8])] = [
        ("texts.js", PackageResources.texts_js),
        ("hub-demo.js", PackageResources.hub_demo_js),
        ("demo-language.js", PackageResources.demo_language_js),
        ("demo-conversation.js", PackageResources.demo_conversation_js),
        ("demo-lists.js", PackageResources.demo_lists_js),
        ("demo-notifications.js", PackageResources.demo_notifications_js),
        ("demo-person.js", PackageResources.demo_person_js),
        ("demo-standing.js", PackageResources.demo_standing_js),
        // The client: hub-client.js and what it imports.
        ("hub-client.js", PackageResources.hub_client_js),
        ("hub-advice.js", PackageResources.hub_advice_js),
        ("hub-channels.js", PackageResources.hub_channels_js),
        ("hub-ladder.js", PackageResources.hub_ladder_js),
        ("hub-link.js", PackageResources.hub_link_js),
        ("hub-listeners.js", PackageResources.hub_listeners_js),
        ("hub-marks.js", PackageResources.hub_marks_js),
        ("hub-outbox.js", PackageResources.hub_outbox_js),
        ("hub-presence.js", PackageResources.hub_presence_js),
        ("hub-surroundings.js", PackageResources.hub_surroundings_js),
        ("hub-switches.js", PackageResources.hub_switches_js),
        ("hub-timers.js", PackageResources.hub_timers_js),
        ("hub-transports.js", PackageResources.hub_transports_js),
    ]
}
