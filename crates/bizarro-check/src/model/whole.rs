//! All objects of a model as one.

use super::Model;

/// All parts of a model as one object. Verdicts are the same as with parts, and take longer; this is for
/// seeing that they are the same.
#[derive(Clone, Debug, Default)]
pub struct Whole<M>(
    /// The model of one part.
    pub M,
);

impl<M: Model> Model for Whole<M>
where
    M::Part: Clone + std::hash::Hash,
{
    /// Parts that are not as they were first, in their order.
    type State = Vec<(M::Part, M::State)>;
    type Call = M::Call;
    type Reply = M::Reply;
    type Part = ();

    fn initial(&self) -> Self::State {
        Vec::new()
    }

    fn step(
        &self,
        state: &Self::State,
        call: &M::Call,
        reply: Option<&M::Reply>,
        next: &mut Vec<Self::State>,
    ) {
        let part = self.0.part(call);
        let found = state.binary_search_by(|(other, _)| other.cmp(&part));
        let initial = self.0.initial();
        let held = found.map_or(&initial, |at| &state[at].1);
        let mut after = Vec::new();
        self.0.step(held, call, reply, &mut after);
        for held in after {
            let mut whole = state.clone();
            match found {
                Ok(at) => whole[at].1 = held,
                Err(_) if held == initial => {}
                Err(at) => whole.insert(at, (part.clone(), held)),
            }
            next.push(whole);
        }
    }

    fn part(&self, _: &M::Call) {}

    fn observes(&self, call: &M::Call, reply: Option<&M::Reply>) -> bool {
        self.0.observes(call, reply)
    }

    fn allows(&self, state: &Self::State, call: &M::Call, reply: Option<&M::Reply>) -> bool {
        let part = self.0.part(call);
        match state.binary_search_by(|(other, _)| other.cmp(&part)) {
            Ok(at) => self.0.allows(&state[at].1, call, reply),
            Err(_) => self.0.allows(&self.0.initial(), call, reply),
        }
    }

    fn grows(&self, call: &M::Call) -> bool {
        self.0.grows(call)
    }

    fn out_of_reach(&self, state: &Self::State, call: &M::Call, reply: &M::Reply) -> bool {
        let part = self.0.part(call);
        match state.binary_search_by(|(other, _)| other.cmp(&part)) {
            Ok(at) => self.0.out_of_reach(&state[at].1, call, reply),
            Err(_) => self.0.out_of_reach(&self.0.initial(), call, reply),
        }
    }

    /// Parts with one hash count as one object, which is slower and not wrong.
    fn object(&self, call: &M::Call) -> u64 {
        crate::intern::hash_of(&self.0.part(call))
    }

    fn weight(&self, state: &Self::State) -> usize {
        state.iter().map(|(part, held)| size_of_val(part) + self.0.weight(held)).sum::<usize>() + 24
    }
}
