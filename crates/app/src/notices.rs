//! Every warning and error that there was, kept until the person clears them.

/// How grave a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// Something was done.
    Note,
    /// Results stand, but should be read with this in mind.
    Warning,
    /// Something was not done.
    Error,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How grave.
    pub gravity: Gravity,
    /// What it is about: `A`, `Delta`, `save`.
    pub about: String,
    /// What happened, and what to do, with nothing in it that is not for the eye.
    pub text: String,
    /// How often it came.
    pub times: u32,
}

/// All of them, the latest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    list: Vec<Notice>,
    /// How many the person has not seen.
    pub unseen: usize,
}

/// More than anyone reads; the oldest go first.
const MOST: usize = 1000;

impl Notices {
    /// Keeps one. What is said again is counted.
    pub fn add(&mut self, gravity: Gravity, about: impl Into<String>, text: &str) {
        let (about, text) = (about.into(), stethoscope_show::text::printable(text.trim()).replace('\u{FFFD}', " "));
        self.unseen += usize::from(gravity > Gravity::Note);
        match self.list.iter_mut().find(|notice| notice.about == about && notice.text == text) {
            Some(same) => same.times = same.times.saturating_add(1),
            None => self.list.push(Notice { gravity, about, text, times: 1 }),
        }
        if self.list.len() > MOST {
            self.list.remove(0);
        }
    }

    /// All, the latest last.
    pub fn all(&self) -> &[Notice] {
        &self.list
    }

    /// How many are warnings and errors.
    pub fn grave(&self) -> usize {
        self.list.iter().filter(|notice| notice.gravity > Gravity::Note).count()
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_twice_is_kept_once_and_counted() {
        let mut notices = Notices::default();
        notices.add(Gravity::Warning, "A", "odd\u{1b}[31m");
        notices.add(Gravity::Warning, "A", "odd\u{1b}[31m");
        notices.add(Gravity::Note, "save", "done");
        assert_eq!((notices.all().len(), notices.grave(), notices.unseen), (2, 1, 2));
        assert_eq!(
            notices.all()[0],
            Notice { gravity: Gravity::Warning, about: "A".into(), text: "odd [31m".into(), times: 2 }
        );
    }

    #[test]
    fn there_are_never_more_than_a_person_would_read() {
        let mut notices = Notices::default();
        for number in 0..2 * MOST {
            notices.add(Gravity::Note, "", &number.to_string());
        }
        assert_eq!(notices.all().len(), MOST);
        assert_eq!(notices.all()[0].text, MOST.to_string());
    }
}
