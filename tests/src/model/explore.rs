//! Every state that can be reached, breadth first; the shortest way to what is wrong; the walk backwards.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use super::properties::{Violation, is_settled, violation};
use super::protocol::{Step, steps};
use super::rules::Rules;
use super::world::{Protocol, Scope, World};

/// More states than any scope here has: a model that grows beyond is a mistake.
const STATES_MAX: usize = 1_000_000;

/// What an exploration saw.
#[derive(Debug)]
pub struct Explored {
    /// States, each counted once.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// The longest of the shortest ways from the first state.
    pub depth: usize,
    /// Settled states.
    pub settled: usize,
    /// What was wrong first.
    pub found: Option<Found>,
}

/// A violation, and the shortest way there.
#[derive(Debug)]
pub struct Found {
    /// What was broken.
    pub violation: Violation,
    /// Step by step.
    pub way: Vec<Step>,
    /// Where it ends.
    pub world: Rc<World>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} after {} steps:", self.violation, self.way.len())?;
        for (number, step) in self.way.iter().enumerate() {
            writeln!(f, "{:4}. {step:?}", number + 1)?;
        }
        write!(f, "{:#?}", self.world)
    }
}

struct Graph {
    worlds: Vec<Rc<World>>,
    numbers: HashMap<Rc<World>, u32>,
    /// The state and the step by which each was found, and how far that is.
    from: Vec<(u32, Option<Step>, usize)>,
}

impl Graph {
    /// The number of a state, and whether it is new.
    fn add(&mut self, world: World, from: u32, step: Option<Step>) -> (u32, bool) {
        if let Some(&known) = self.numbers.get(&world) {
            return (known, false);
        }
        let number = u32::try_from(self.worlds.len()).expect("the states are few");
        let world = Rc::new(world);
        let depth = step.map_or(0, |_| self.from[from as usize].2 + 1);
        self.worlds.push(Rc::clone(&world));
        self.numbers.insert(world, number);
        self.from.push((from, step, depth));
        (number, true)
    }

    fn found(&self, violation: Violation, mut at: u32) -> Found {
        let world = Rc::clone(&self.worlds[at as usize]);
        let mut way = Vec::new();
        while let (from, Some(step), _) = &self.from[at as usize] {
            way.push(*step);
            at = *from;
        }
        way.reverse();
        Found { violation, way, world }
    }
}

/// Explores all of a scope, or up to the first violation. `recovers` says of a step whether it may be
/// counted on: from every state a settled one must be within reach by such steps alone. `minds` says which
/// violations end it.
pub fn explore(
    scope: &Scope,
    protocol: &Protocol,
    recovers: impl Fn(&Step) -> bool,
    minds: impl Fn(Violation) -> bool,
) -> Explored {
    let rules = Rules::new(scope);
    let mut graph = Graph { worlds: Vec::new(), numbers: HashMap::new(), from: Vec::new() };
    graph.add(World::first(scope).normal(), 0, None);
    let mut seen = Explored { states: 0, steps: 0, depth: 0, settled: 0, found: None };
    // Steps that may be counted on, backwards: (to, from).
    let mut back: Vec<(u32, u32)> = Vec::new();
    let mut at = 0;
    while at < graph.worlds.len() {
        assert!(at < STATES_MAX, "more than {STATES_MAX} states");
        let world = Rc::clone(&graph.worlds[at]);
        let from = u32::try_from(at).expect("the states are few");
        for (step, next) in steps(&world, scope, protocol, &rules) {
            seen.steps += 1;
            let wrong = violation(&world, &next).filter(|&wrong| minds(wrong));
            let (to, _) = graph.add(next.normal(), from, Some(step));
            if let Some(wrong) = wrong {
                let mut found = graph.found(wrong, from);
                found.way.push(step);
                found.world = Rc::clone(&graph.worlds[to as usize]);
                seen.found = Some(found);
                seen.states = graph.worlds.len();
                return seen;
            }
            if recovers(&step) {
                back.push((to, from));
            }
        }
        at += 1;
    }
    seen.states = graph.worlds.len();
    seen.depth = graph.from.iter().map(|(.., depth)| *depth).max().unwrap_or_default();
    let settled: Vec<bool> = graph.worlds.iter().map(|world| is_settled(world, &rules)).collect();
    seen.settled = settled.iter().filter(|settled| **settled).count();
    let reaches = reaching(settled, back);
    if let Some(lost) = reaches.iter().position(|reaches| !reaches).filter(|_| minds(Violation::Lost)) {
        let lost = u32::try_from(lost).expect("the states are few");
        seen.found = Some(graph.found(Violation::Lost, lost));
    }
    seen
}

/// Which states reach one of the goals.
fn reaching(mut goal: Vec<bool>, mut back: Vec<(u32, u32)>) -> Vec<bool> {
    back.sort_unstable();
    let mut open: Vec<u32> = (0..).zip(&goal).filter(|(_, goal)| **goal).map(|(number, _)| number).collect();
    while let Some(at) = open.pop() {
        let first = back.partition_point(|(to, _)| *to < at);
        for (_, from) in back[first..].iter().take_while(|(to, _)| *to == at) {
            if !std::mem::replace(&mut goal[*from as usize], true) {
                open.push(*from);
            }
        }
    }
    goal
}
