"""Rows of tokens to learn from: documents with questions about them and answers copied out of them.

A document is made of passages (paragraphs of an article, or of many), or is a planted one (planted.py). A row is
`<|bos|><|user|>DOCUMENT\\n\\nQUESTION<|end|><|assistant|>ANSWER<|end|><|user|>QUESTION ...`, with a weight for each token.
In a compressed row only `kept` of the first `document` tokens are seen by what follows: runs around every answer, and
runs at random, as a press leaves them.
"""
import random
import re

import numpy as np

import planted

BOS, END, USER, ASSISTANT, PAD = range(5)
ANSWER, QUESTION, TEXT = 6.0, 0.25, 0.15  # weights in the loss (TEXT 0.4 in the first half)
MISSING = planted.MISSING
QUOTE = ["Quote the sentence that answers: {}", "Which sentence tells: {}", "Find the sentence: {}"]
# source: (weight of a passage with questions, an answer is a whole sentence)
SOURCES = {
    "squad": (3.0, False), "squad2": (3.0, False), "new_wiki": (3.0, False), "nq": (1.5, False), "qed": (1.0, False),
    "reddit": (0.7, False), "amazon_reviews": (0.7, False), "policy": (0.35, False), "covid": (0.5, False),
    "qamr": (3.0, False), "selqa": (0.7, True), "reqa": (0.15, True), "factbook": (0.25, False),
}


class Passage:
    __slots__ = ("source", "title", "text", "real", "made", "entities")

    def __init__(self, record):
        self.source, self.title, self.text = record["src"], record["title"], record["text"]
        self.real = [(q, a) for q, a in record["qas"]]
        self.made = [(q, a) for q, a, *_ in record.get("syn", ())]
        self.entities = record.get("ents", ())


class Pool:
    """All passages, grouped by article; entities by kind, to put one in another's place."""

    def __init__(self, records, rng):
        self.rng = rng
        self.passages = [Passage(r) for r in records]
        self.articles = {}
        for p in self.passages:
            self.articles.setdefault((p.source, p.title or id(p)), []).append(p)
        self.asked = [p for p in self.passages if p.real and p.source in SOURCES]
        weights = [SOURCES[p.source][0] * min(6, len(p.real)) ** 0.5 for p in self.asked]
        self.cumulative = np.cumsum(weights)
        self.generated = [p for p in self.passages if p.made]
        self.kinds = {}
        for p in self.passages:
            for start, end, kind in p.entities:
                if 2 < end - start < 40:
                    self.kinds.setdefault(kind, []).append(p.text[start:end])

    def primary(self, real):
        if real or not self.generated:
            at = np.searchsorted(self.cumulative, self.rng.random() * self.cumulative[-1])
            return self.asked[min(at, len(self.asked) - 1)]
        return self.rng.choice(self.generated)

    def company(self, first):
        """Passages to stand around the first: of its article, of its source, or of any."""
        mode = self.rng.random()
        article = self.articles[(first.source, first.title or id(first))]
        if mode < 0.6 and len(article) > 1:
            at = article.index(first)
            near = [article[(at + i) % len(article)] for i in range(1, len(article))]
            if self.rng.random() < 0.5:
                self.rng.shuffle(near)
            yield from near
        while True:
            p = self.rng.choice(self.passages)
            if p is not first and (mode > 0.8 or p.source == first.source or self.rng.random() < 0.3):
                yield p

    def digits(self, old):
        """As many other digits; years stay years."""
        if len(old) == 4 and old < "2100":
            return str(self.rng.randint(1000, 2090))
        return "".join(self.rng.choice("123456789" if i == 0 else "0123456789") for i in range(len(old)))

    def disguise(self, passages):
        """Other names and numbers in the place of some, everywhere alike, so that an answer cannot be known by heart."""
        mapping = {}
        for p in passages[:3]:
            names = list({(p.text[s:e], k) for s, e, k in p.entities if 2 < e - s < 40})
            self.rng.shuffle(names)
            for name, kind in names[: self.rng.randint(1, 5)]:
                if kind in ("DATE", "CARDINAL", "MONEY", "PERCENT", "QUANTITY") and any(c.isdigit() for c in name):
                    new = re.sub(r"\d+", lambda m: self.digits(m[0]), name)
                elif kind in ("PERSON", "GPE", "ORG", "LOC", "FAC", "NORP", "WORK_OF_ART", "EVENT"):
                    new = self.rng.choice(self.kinds[kind])
                else:
                    continue
                if name[0].isalnum() and name[-1].isalnum() and "\n" not in new:
                    mapping[name] = new
        if not mapping:
            return lambda s: s
        pattern = re.compile("|".join(r"\b" + re.escape(n) + r"\b" for n in sorted(mapping, key=len, reverse=True)))
        return lambda s: pattern.sub(lambda m: mapping[m[0]], s)


def person_forms(question, rng):
    """A question as people type it: without capitals, without its mark, a little word short."""
    if rng.random() < 0.08:
        question = question.lower()
    if rng.random() < 0.08:
        question = question.rstrip("?").rstrip()
    if rng.random() < 0.05:
        words = question.split()
        drop = [i for i, w in enumerate(words) if w.lower() in ("the", "a", "an", "of", "did", "does", "in")]
        if drop and len(words) > 5:
            del words[rng.choice(drop)]
            question = " ".join(words)
    return question


class Rows:
    def __init__(self, tokenizer, pool, library, prose, rng, planted_share=0.28, prose_share=0.06):
        self.tokenizer, self.pool, self.library, self.prose, self.rng = tokenizer, pool, library, prose, rng
        self.planted_share, self.prose_share = planted_share, prose_share
        self.joints = [self.encode(s) for s in ("\n\n", "\n", " ")]

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    # ---- documents: tokens, and questions with the token spans of their evidence -----------------------------------
    def passages(self, size, count):
        """A document of at most `size` tokens and up to `count` questions: (tokens, [(question, answer, [(from, to)])])."""
        rng, real = self.rng, self.rng.random() < 0.62
        first = self.pool.primary(real)
        chosen, company = [first], self.pool.company(first)
        total = len(first.text) // 4
        alone = size <= 600 and rng.random() < 0.5
        while not alone and total < size * 1.05 and len(chosen) < 60:
            p = next(company)
            chosen.append(p)
            total += len(p.text) // 4 + 1
        change = self.pool.disguise(chosen) if rng.random() < 0.75 else (lambda s: s)  # 0.4 in the first half
        if len(chosen) > 1:
            at = rng.randrange(len(chosen))
            chosen[0], chosen[at] = chosen[at], chosen[0]
        texts = [change(p.text) for p in chosen]
        encoded = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        joint = rng.choice(self.joints)
        must = chosen.index(first)
        order, used = [], len(encoded[must].ids)
        for i in range(len(chosen)):
            if i != must and used + len(encoded[i].ids) + len(joint) <= size:
                used += len(encoded[i].ids) + len(joint)
                order.append(i)
        order = sorted(order + [must])
        ids, asked, starts, ends = [], [], {}, {}
        for i in order:
            if ids:
                ids += joint
            starts[i] = len(ids)
            ids += encoded[i].ids
            ends[i] = len(ids)
        if len(ids) > size:  # the first passage alone is longer than the room: a piece of it
            ids = ids[:size]
        document = set(texts[i] for i in order)
        picks = [must] * count + rng.choices(order, k=count)
        seen = set()
        for i in picks:
            p = chosen[i]
            sentence = p.source in SOURCES and SOURCES[p.source][1]
            options = p.real if (p.real and (i == must and real or rng.random() < 0.5)) else p.made
            if not options:
                continue
            made = options is p.made
            q, a = rng.choice(options)
            if (i, q) in seen or len(asked) >= count:
                continue
            seen.add((i, q))
            if not made:
                a = max(a, key=len) if rng.random() < 0.6 else rng.choice(a)
            q, a = change(q), change(a)
            at = texts[i].find(a)
            if at < 0 or len(a) > 400 or (made and a.lower() in q.lower()):
                continue
            spans = encoded[i].offsets
            lo = next((t for t, (s, e) in enumerate(spans) if e > at), None)
            hi = next((t for t, (s, e) in enumerate(spans) if e >= at + len(a)), None)
            if lo is None or hi is None or starts[i] + hi >= len(ids):
                continue
            if sentence and not made:
                q = rng.choice(QUOTE).format(q)
            asked.append((person_forms(q, rng), a.strip(), [(starts[i] + lo, starts[i] + hi + 1)]))
        if rng.random() < 0.12:
            other = self.pool.primary(True)
            if other.title != first.title and other.real and not SOURCES[other.source][1] and other.text not in document:
                q, a = rng.choice(other.real)
                if not any(v in t for v in a for t in document):
                    asked.append((person_forms(q, rng), MISSING, []))
        rng.shuffle(asked)
        return ids, asked

    def planted(self, size, count):
        rng = self.rng
        for shrink in (1, 0.85, 0.7, 0.5):
            library = self.library if rng.random() < 0.6 else self.pool_library()
            text, pairs = planted.sample(library, int(size * 3.6 * shrink), count)
            encoded = self.tokenizer.encode(text, add_special_tokens=False)
            if pairs and len(encoded.ids) <= size:
                break
        else:
            return self.passages(size, count)
        starts = [s for s, _ in encoded.offsets]
        asked = []
        for q, a in pairs[:count]:
            wanted = [a] if a in text else [w.strip(".,") for w in a.split() if re.search(r"\d|-|^[A-Z]{5}", w)]
            spans = []
            for w in wanted:
                for m in list(re.finditer(re.escape(w), text))[:6] if len(w) > 1 else ():
                    lo = max(0, int(np.searchsorted(starts, m.start(), "right")) - 1)
                    hi = int(np.searchsorted(starts, m.end(), "left"))
                    spans.append((max(0, lo - 12), hi))
            asked.append((q, a, spans))
        return encoded.ids, asked

    def pool_library(self):
        pool = self.pool

        class OfPassages:
            @staticmethod
            def slice(chars):
                out, n = [], 0
                while n < chars:
                    p = pool.rng.choice(pool.passages)
                    out.append(p.text)
                    n += len(p.text) + 1
                return "\n".join(out)[:chars]

        return OfPassages

    def turn(self, question, answer, first):
        q = self.encode(("\n\n" if first else "") + question)
        a = self.encode(answer)
        ids = ([] if first else [USER]) + q + [END, ASSISTANT] + a + [END]
        weights = ([] if first else [0.0]) + [QUESTION] * len(q) + [0.0, 0.0] + [ANSWER] * (len(a) + 1)
        return ids, weights

    # ---- rows -------------------------------------------------------------------------------------------------------
    def plain(self, length):
        """(ids, weights), each of length + 1."""
        rng, n = self.rng, length + 1
        if rng.random() < self.prose_share:
            return self.fill([], [], n)
        count = rng.randint(2, 7) if length <= 1024 else rng.randint(3, 14)
        room = length - 32 * count - 4
        if length > 512 and rng.random() < 0.2:
            room //= 2
        make = self.planted if rng.random() < self.planted_share else self.passages
        document, asked = make(room, count)
        ids, weights = [BOS, USER] + document, [0.0, 0.0] + [TEXT] * len(document)
        first = True
        for q, a, _ in asked:
            i, w = self.turn(q, a, first)
            if len(ids) + len(i) > n:
                break
            ids, weights, first = ids + i, weights + w, False
        return self.fill(ids, weights, n)

    def fill(self, ids, weights, n):
        """The rest of a row: prose, from anywhere in the tokens of all of it."""
        while len(ids) < n:
            at = self.rng.randrange(len(self.prose) - 1500)
            t = self.prose[at: at + min(n - len(ids), self.rng.randint(200, 1400))].tolist()
            ids, weights = ids + [BOS] + t, weights + [0.0] + [TEXT] * len(t)
        return np.array(ids[:n], np.int32), np.array(weights[:n], np.float32)

    def compressed(self, document, kept, tail):
        """(ids, weights, kept indices): ids and weights of document + tail + 1."""
        rng = self.rng
        make = self.planted if rng.random() < self.planted_share else self.passages
        later = rng.randint(0, tail // 4) if rng.random() < 0.5 else 0  # a part of the text read after the compression
        body, asked = make(document - 2 + later, max(3, tail // 60))
        while len(body) < document - 2:
            at = rng.randrange(len(self.prose) - document)
            body = body + self.joints[0] + self.prose[at: at + document].tolist()
        body = body[: document - 2 + later]
        ids, weights = [BOS, USER] + body, [0.0, 0.0] + [TEXT] * len(body)
        keep = np.zeros(document, bool)
        keep[:2] = True
        first, n = True, document + tail + 1
        for q, a, spans in asked:
            spans = [(s + 2, e + 2) for s, e in spans]
            if spans and any(e > len(body) + 2 for _, e in spans):
                continue
            i, w = self.turn(q, a, first)
            if len(ids) + len(i) > n:
                break
            mark = keep.copy()
            for s, e in spans:
                mark[max(0, s - rng.randint(4, 28)): min(document, e + rng.randint(6, 24))] = True
            if mark.sum() > kept:
                continue
            keep, ids, weights, first = mark, ids + i, weights + w, False
        needed = keep.copy()
        while keep.sum() < kept:
            s = rng.randrange(document)
            keep[s: s + rng.randint(8, 36)] = True
        extra = np.flatnonzero(keep & ~needed)
        over = int(keep.sum()) - kept
        if over > 0:
            keep[extra[-over:]] = False
        if first:  # nothing could be asked
            weights = [min(w, TEXT) for w in weights]
        ids, weights = self.fill(ids, weights, n)
        return ids, weights, np.flatnonzero(keep).astype(np.int64)
