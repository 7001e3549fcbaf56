/// The demo's files as they are served: path, media type, bytes.
public enum WebPages {
    public struct File: Sendable {
        public let path: String
        public let type: String
        public let bytes: [UInt8]
    }

    public static let all = [
        File(path: "/", type: "text/html; charset=utf-8", bytes: PackageResources.index_html),
        File(path: "/demo.css", type: "text/css; charset=utf-8", bytes: PackageResources.demo_css),
        File(path: "/hub-client.js", type: "text/javascript; charset=utf-8", bytes: PackageResources.hub_client_js),
        File(path: "/hub-demo.js", type: "text/javascript; charset=utf-8", bytes: PackageResources.hub_demo_js),
        File(path: "/texts.js", type: "text/javascript; charset=utf-8", bytes: PackageResources.texts_js),
        File(path: "/icon.svg", type: "image/svg+xml", bytes: PackageResources.icon_svg),
    ]
}
