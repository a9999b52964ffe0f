//! The parts of a picture, and the document around them.

use std::fmt::Write;

/// Of every picture, in its own units. It is scaled to the room that there is.
pub(super) const WIDTH: u32 = 960;
/// At the sides.
pub(super) const MARGIN: u32 = 20;
/// From one line of text to the next.
pub(super) const LINE: u32 = 18;

/// The width of a character, in hundredths: the letters of a monospaced font are 0.6 of its size wide, and some
/// readers' a little more.
const CHARACTER_PERCENT: u32 = 740;

const STYLE: &str = "\
svg{color-scheme:light dark;background:#fff}\
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328}\
.heading{font-weight:bold}.faint{fill:#59636e}\
.lane{stroke:#d1d9e0}.box,.bar{fill:#ddf4ff;stroke:#0969da}\
.open{fill:#fff8c5;stroke:#9a6700;stroke-dasharray:5 3}.failed{fill:#f6f8fa;stroke:#59636e}\
.arrow{fill:none;stroke:#cf222e;stroke-width:1.5}.tip{fill:#cf222e}\
@media(prefers-color-scheme:dark){svg{background:#0d1117}text{fill:#f0f6fc}.faint{fill:#9198a1}\
.lane{stroke:#3d444d}.box,.bar{fill:#121d2f;stroke:#4493f8}.open{fill:#272115;stroke:#d29922}\
.failed{fill:#151b23;stroke:#9198a1}.arrow{stroke:#f85149}.tip{fill:#f85149}}";

/// A picture while it is drawn, from the top to the bottom.
pub(super) struct Picture {
    body: String,
    title: String,
    description: String,
    /// Where the next thing goes.
    pub(super) y: u32,
}

impl Picture {
    /// With a heading, and what is told to those who do not see it.
    pub(super) fn new(title: &str, description: String) -> Picture {
        let mut picture =
            Picture { body: String::new(), title: title.to_string(), description, y: 2 * MARGIN };
        picture.text(MARGIN, "heading", title);
        picture.y += LINE;
        picture
    }

    /// A line of text at the height that was reached, moved to the left if it would leave the picture.
    pub(super) fn text(&mut self, x: u32, class: &str, text: &str) {
        let (shown, x) = fitted(x, text);
        let y = self.y;
        let _ =
            write!(self.body, "<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{}", escaped(&shown));
        if shown != text {
            let _ = write!(self.body, "<title>{}</title>", escaped(text));
        }
        self.body.push_str("</text>\n");
    }

    /// Lines of text below each other, in the room from `x` on.
    pub(super) fn paragraph(&mut self, x: u32, class: &str, text: &str) {
        for line in wrapped(text, characters(WIDTH - MARGIN - x)) {
            self.text(x, class, &line);
            self.y += LINE;
        }
    }

    /// A part in SVG.
    pub(super) fn add(&mut self, part: std::fmt::Arguments<'_>) {
        let _ = self.body.write_fmt(part);
        self.body.push('\n');
    }

    pub(super) fn finish(self) -> String {
        let Picture { body, title, description, y } = self;
        let height = y + MARGIN;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" role=\"img\" aria-labelledby=\"title description\">\n\
             <title id=\"title\">{}</title>\n<desc id=\"description\">{}</desc>\n\
             <style>{STYLE}</style>\n{body}</svg>\n",
            escaped(&title),
            escaped(&description),
        )
    }
}

/// How many characters have room in a width.
pub(super) fn characters(width: u32) -> usize {
    (width * 100 / CHARACTER_PERCENT) as usize
}

/// The width of a text.
pub(super) fn width(text: &str) -> u32 {
    (text.chars().count() as u32 * CHARACTER_PERCENT).div_ceil(100)
}

/// As much of a text as has room in the picture, and where it then begins.
fn fitted(x: u32, text: &str) -> (String, u32) {
    let shown = shortened(text, characters(WIDTH - 2 * MARGIN));
    let x = x.min(WIDTH - MARGIN - width(&shown).min(WIDTH - 2 * MARGIN));
    (shown, x)
}

/// A text of at most so many characters.
pub(super) fn shortened(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_string();
    }
    text.chars().take(characters.saturating_sub(1)).chain(['…']).collect()
}

/// A text in lines of at most so many characters, broken between words where there are any.
fn wrapped(text: &str, characters: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one");
        let length = line.chars().count() + 1 + word.chars().count();
        if line.is_empty() || length <= characters {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        } else {
            lines.push(word.to_string());
        }
    }
    lines.iter().map(|line| shortened(line, characters)).collect()
}

/// Text that is neither markup nor a control character, which XML does not have.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            it if it.is_control() || matches!(it, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}')
            }
            it => escaped.push(it),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_in_the_picture_and_is_no_markup() {
        let long = "<b>&\u{1}".repeat(100);
        let mut picture = Picture::new("a \"title\"", "told".to_string());
        picture.text(900, "", &long);
        picture.paragraph(700, "", "words that take more than the room that there is in one line");
        let drawn = picture.finish();
        assert!(drawn.contains("a &quot;title&quot;") && !drawn.contains("<b>"));
        assert!(drawn.contains("<title>&lt;b&gt;&amp;\u{fffd}"), "all of it can be read");
        for line in drawn.lines().filter(|line| line.starts_with("<text")) {
            let x: u32 = line.split('"').nth(1).unwrap().parse().unwrap();
            let shown = line.split('>').nth(1).unwrap().split("</text").next().unwrap();
            let shown = shown.split("<title").next().unwrap();
            let shown = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            assert!(x + width(&shown.replace("&quot;", "\"")) <= WIDTH, "{line}");
        }
    }
}
