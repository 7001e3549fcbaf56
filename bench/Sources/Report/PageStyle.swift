/// The report's style sheet, which is part of the page: one column, a light and a dark palette.
enum PageStyle {
    static let css = """
        :root{color-scheme:light dark;--ground:#fbfaf8;--card:#fff;--ink:#1d2330;--soft:#5d6678;--line:#e4e2dc;--grid:#eceae4;\
        --good:#1f8a5b;--bad:#c2452d;--told:#4b6fb5;--goal:#b3261e;\
        --c0:#2f62c9;--c1:#d9772b;--c2:#1f8a5b;--c3:#9147b8;--c4:#b83c5a;--c5:#0f8b9b;--c6:#8a6d1f;--c7:#5d6678}
        @media(prefers-color-scheme:dark){:root{--ground:#14171d;--card:#1c2028;--ink:#e8eaf0;--soft:#9aa4b8;--line:#2c323d;--grid:#272c36;\
        --good:#4cc38a;--bad:#f0795f;--told:#7ea2ea;--goal:#ff8a80;\
        --c0:#7ea2ea;--c1:#f0a35e;--c2:#4cc38a;--c3:#c58be6;--c4:#f07f9c;--c5:#4fc3d4;--c6:#d4b65a;--c7:#9aa4b8}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;\
        -webkit-text-size-adjust:100%}
        main,header,footer{max-width:860px;margin:0 auto;padding:0 20px}
        header{padding-top:44px;padding-bottom:8px}
        h1{font-size:2rem;line-height:1.15;letter-spacing:-.02em;margin:0 0 10px}
        h2{font-size:1.3rem;letter-spacing:-.01em;margin:44px 0 4px}
        h3{font-size:1.05rem;margin:0 0 2px}
        p{margin:0 0 10px}
        .soft,figcaption,footer{color:var(--soft);font-size:.92rem}
        .tally{display:flex;flex-wrap:wrap;gap:10px;margin:20px 0 0;padding:0;list-style:none}
        .tally li{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:10px 18px;font-size:.9rem;color:var(--soft)}
        .tally b{display:block;font-size:1.7rem;line-height:1.1;color:var(--ink);font-variant-numeric:tabular-nums}
        .tally .reached b{color:var(--good)}.tally .missed b{color:var(--bad)}
        .card{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:20px 22px 16px;margin:14px 0}
        .wide{overflow-x:auto;margin:0 -6px;padding:0 6px}
        table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
        th{font-weight:600;text-align:left;color:var(--soft);font-size:.82rem}
        th,td{padding:7px 12px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
        tr:last-child td{border-bottom:0}
        .r{text-align:right;white-space:nowrap}
        .verdict{display:inline-block;border-radius:99px;padding:0 10px;font-size:.8rem;font-weight:600;border:1px solid currentColor}
        .verdict.reached{color:var(--good)}.verdict.missed{color:var(--bad)}.verdict.told{color:var(--soft);border-color:var(--line)}
        figure{margin:14px 0 4px}
        figcaption{margin-top:6px}.drawing{overflow-x:auto}
        svg{display:block;width:100%;height:auto;}
        svg text{font:12px system-ui,"Segoe UI",Roboto,sans-serif;fill:var(--ink)}
        svg .tick,svg .axis-title{fill:var(--soft)}svg .name{font-size:13px}svg .value{font-size:13px;font-weight:600}
        .grid{stroke:var(--grid)}.axis{stroke:var(--soft)}.unity{stroke:var(--soft);stroke-dasharray:2 4}
        .goal{stroke:var(--goal);stroke-width:2.5}.spread{stroke:var(--ink);stroke-width:1.4;opacity:.75}
        .line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}.area{opacity:.13;stroke:none}
        .bar{opacity:.85}.bar.reached{fill:var(--good)}.bar.missed{fill:var(--bad)}.bar.told{fill:var(--told)}
        \(palette)
        .legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;margin:6px 0 0;padding:0;font-size:.88rem}
        .legend i{display:inline-block;width:14px;height:4px;border-radius:2px;margin-right:7px;vertical-align:middle}
        .facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(148px,1fr));gap:10px 18px;margin:12px 0 6px;padding:0}
        .facts div{border-left:3px solid var(--line);padding-left:10px}
        .facts dt{color:var(--soft);font-size:.82rem}.facts dd{margin:0;font-weight:600;font-variant-numeric:tabular-nums}
        .facts small{font-weight:400;color:var(--soft);display:block}
        .parameters{color:var(--soft);font-size:.85rem;margin:0 0 6px}
        .failure{color:var(--bad);font-weight:600}
        code{font:.88em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
        footer{padding-top:30px;padding-bottom:60px}
        @media(max-width:560px){body{font-size:15px}h1{font-size:1.6rem}.card{padding:16px 14px 12px;border-radius:12px}\
        main,header,footer{padding-left:12px;padding-right:12px}svg{min-width:500px}svg text{font-size:17px}svg .name,svg .value{font-size:18px}\
        .legend{font-size:.85rem}.stack thead{display:none}.stack tr{display:block;padding:8px 0;border-bottom:1px solid var(--line)}\
        .stack tr:last-child{border:0}.stack td{display:inline-block;border:0;padding:0 12px 0 0}.stack td:first-child{display:block;font-weight:600}}
        @media print{.card{break-inside:avoid}}
        """

    private static let palette = (0..<8).map {
        ".line.c\($0){stroke:var(--c\($0))}.area.c\($0),.dot.c\($0){fill:var(--c\($0))}.legend .c\($0){background:var(--c\($0))}"
    }.joined()
}
