//! `milink status -w`: links on the terminal, as they are now.
//!
//! Looking and drawing go on beside each other: a side that does not answer slows the numbers, never the keys. A number that is older than a
//! look should take says how old it is.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

use milink_core::moment::Moment;
use milink_core::observe::Observation;
use milink_core::status::{self, LinkState, LinkStatus};
use milink_ops::sides::{Sides, now};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row, Sparkline, Table, TableState};
use ratatui::{DefaultTerminal, Frame};
use tokio::sync::{mpsc, watch};

use super::status_document::UNKNOWN;
use crate::output::bytes;

/// How many looks a sparkline remembers.
const REMEMBERED: usize = 240;

/// How often keys are asked for, and the ages of numbers are drawn anew.
const FRAME: Duration = Duration::from_millis(200);

/// What is watched.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    /// Only these links; all of them if there are none.
    pub(crate) names: Vec<String>,
    /// How often to look.
    pub(crate) every: Duration,
}

/// Shows links until somebody presses q.
///
/// # Errors
/// The terminal cannot be used.
pub(crate) async fn watch(sides: &Sides, watched: &Watched) -> io::Result<()> {
    let (send, looks) = watch::channel(None);
    let looking = look_again_and_again(sides, watched.every, send);
    let mut terminal = ratatui::init();
    let (keys_send, keys) = mpsc::channel(16);
    // Reading keys blocks, so it has a thread of its own, which ends when nobody wants them any more.
    let reader = std::thread::spawn(move || read_keys(&keys_send));
    let shown = tokio::select! {
        () = looking => Ok(()),
        shown = show(&mut terminal, looks, keys, watched) => shown,
    };
    ratatui::restore();
    let read = reader.join();
    shown.and(read.unwrap_or_else(|_| Err(io::Error::other("the thread that reads keys panicked"))))
}

async fn look_again_and_again(sides: &Sides, every: Duration, send: watch::Sender<Option<Observation>>) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut before: Option<Observation> = None;
    loop {
        ticks.tick().await;
        let seen = match &before {
            Some(before) => sides.look_again(before).await,
            None => sides.look().await,
        };
        before = Some(seen.clone());
        send.send_replace(Some(seen));
    }
}

fn read_keys(send: &mpsc::Sender<Key>) -> io::Result<()> {
    while !send.is_closed() {
        if !event::poll(FRAME)? {
            continue;
        }
        let Event::Key(pressed) = event::read()? else { continue };
        if pressed.kind != KeyEventKind::Press {
            continue;
        }
        let control = pressed.modifiers.contains(KeyModifiers::CONTROL);
        let key = match pressed.code {
            KeyCode::Char('c') if control => Key::Quit,
            KeyCode::Char('q') | KeyCode::Esc => Key::Quit,
            KeyCode::Down | KeyCode::Char('j') => Key::Down,
            KeyCode::Up | KeyCode::Char('k') => Key::Up,
            KeyCode::PageDown => Key::PageDown,
            KeyCode::PageUp => Key::PageUp,
            _ => continue,
        };
        if send.blocking_send(key).is_err() {
            break;
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Quit,
    Up,
    Down,
    PageUp,
    PageDown,
}

async fn show(
    terminal: &mut DefaultTerminal,
    mut looks: watch::Receiver<Option<Observation>>,
    mut keys: mpsc::Receiver<Key>,
    watched: &Watched,
) -> io::Result<()> {
    let mut screen = Screen::new(watched.clone());
    let mut frames = tokio::time::interval(FRAME);
    loop {
        tokio::select! {
            _ = frames.tick() => {}
            changed = looks.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                if let Some(seen) = looks.borrow_and_update().as_ref() {
                    screen.take(seen);
                }
            }
            key = keys.recv() => match key {
                None | Some(Key::Quit) => return Ok(()),
                Some(key) => screen.press(key),
            },
        }
        terminal.draw(|frame| screen.draw(frame, now()))?;
    }
}

/// What is on the screen.
#[derive(Debug)]
struct Screen {
    watched: Watched,
    links: Vec<LinkStatus>,
    unknown: Vec<String>,
    seen_at: Option<Moment>,
    /// For each link, how many KiB were queued at each look, oldest first.
    queued: BTreeMap<String, VecDeque<u64>>,
    table: TableState,
}

impl Screen {
    fn new(watched: Watched) -> Screen {
        Screen {
            watched,
            links: Vec::new(),
            unknown: Vec::new(),
            seen_at: None,
            queued: BTreeMap::new(),
            table: TableState::default().with_selected(0),
        }
    }

    fn take(&mut self, seen: &Observation) {
        self.links = if self.watched.names.is_empty() {
            status::links(seen)
        } else {
            self.watched.names.iter().map(|name| status::link(name, seen)).collect()
        };
        self.unknown = status::silent(seen);
        self.seen_at = Some(seen.at);
        for link in &self.links {
            let history = self.queued.entry(link.name.clone()).or_default();
            history.push_back(queued_kb(link).unwrap_or(0));
            if history.len() > REMEMBERED {
                history.pop_front();
            }
        }
        let links = &self.links;
        self.queued.retain(|name, _| links.iter().any(|l| l.name == *name));
    }

    fn press(&mut self, key: Key) {
        match key {
            Key::Quit => {}
            Key::Down => self.table.select_next(),
            Key::Up => self.table.select_previous(),
            Key::PageDown => self.table.scroll_down_by(20),
            Key::PageUp => self.table.scroll_up_by(20),
        }
    }

    fn draw(&mut self, frame: &mut Frame<'_>, now: Moment) {
        let [head, body, chart, foot] = Layout::vertical([
            Constraint::Length(1 + u16::try_from(self.unknown.len().min(3)).unwrap_or(0)),
            Constraint::Min(3),
            Constraint::Length(8),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(Paragraph::new(self.heading(now)), head);
        self.draw_links(frame, body);
        self.draw_selected(frame, chart);
        frame.render_widget(Paragraph::new("q quit   ↑ ↓ choose a link"), foot);
    }

    fn heading(&self, now: Moment) -> Vec<Line<'_>> {
        let Some(at) = self.seen_at else { return vec![Line::from("looking ...")] };
        let age = now.ms_since(at);
        let stale = age > 3 * self.watched.every.as_millis() as u64 + 1000;
        let bad = self.links.iter().filter(|l| l.state > LinkState::Degraded).count();
        let text = format!(
            "{} links, {bad} need attention, seen {:.1} s ago",
            self.links.len(),
            age as f64 / 1000.0
        );
        let style = if stale { Style::new().fg(Color::Yellow) } else { Style::new() };
        let mut lines = vec![Line::styled(if stale { format!("{text} (STALE)") } else { text }, style)];
        let red = Style::new().fg(Color::Red);
        lines.extend(self.unknown.iter().take(3).map(|why| Line::styled(why.as_str(), red)));
        lines
    }

    fn draw_links(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.links.iter().map(|link| {
            let loss = link.databases.iter().map(|d| d.data_loss_seconds).max().flatten();
            Row::new([
                Span::raw(link.name.clone()),
                Span::styled(state_text(link), Style::new().fg(color(link.state))),
                Span::raw(link.primary.to_string()),
                Span::raw(queued_kb(link).map_or_else(|| UNKNOWN.to_owned(), |kb| bytes(kb * 1024))),
                Span::raw(loss.map_or_else(|| UNKNOWN.to_owned(), |s| format!("{s} s"))),
                Span::raw(link.last_error.as_ref().map(|e| e.text.clone()).unwrap_or_default()),
            ])
        });
        let widths = [
            Constraint::Percentage(22),
            Constraint::Length(14),
            Constraint::Length(17),
            Constraint::Length(12),
            Constraint::Length(9),
            Constraint::Fill(1),
        ];
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let table = Table::new(rows, widths)
            .header(Row::new(["LINK", "STATE", "PRIMARY", "QUEUED", "LOSS", "LAST ERROR"]).style(bold))
            .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        frame.render_stateful_widget(table, area, &mut self.table);
    }

    fn draw_selected(&self, frame: &mut Frame<'_>, area: Rect) {
        let Some(link) = self.table.selected().and_then(|at| self.links.get(at)) else { return };
        let history: Vec<u64> = self.queued.get(&link.name).into_iter().flatten().copied().collect();
        let newest = history.len().saturating_sub(usize::from(area.width.saturating_sub(2)));
        let most = history.iter().max().copied().unwrap_or(0);
        let title = format!(" {}: log not yet sent and redone, at most {} ", link.name, bytes(most * 1024));
        let sparkline = Sparkline::default().block(Block::bordered().title(title)).data(&history[newest..]);
        frame.render_widget(sparkline, area);
    }
}

fn queued_kb(link: &LinkStatus) -> Option<u64> {
    let both = |d: &milink_core::status::DatabaseStatus| Some(d.send_queue_kb? + d.redo_queue_kb?);
    link.databases.iter().map(both).sum()
}

fn state_text(link: &LinkStatus) -> String {
    let percent = link.databases.iter().filter_map(|d| d.seeding.as_ref()).filter_map(|s| s.percent()).min();
    match (link.state, percent) {
        (LinkState::Seeding, Some(percent)) => format!("seeding {percent} %"),
        (state, _) => state.to_string(),
    }
}

fn color(state: LinkState) -> Color {
    match state {
        LinkState::Healthy => Color::Green,
        LinkState::Seeding | LinkState::Degraded | LinkState::HalfMade | LinkState::Unknown => Color::Yellow,
        LinkState::Broken | LinkState::NoPrimary | LinkState::TwoPrimaries => Color::Red,
    }
}
