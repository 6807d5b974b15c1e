"""Who speaks? Nine speakers say one vowel: 12 coefficients a frame, 7 to 29 frames, one answer (JapaneseVowels, UCI).

A training script as there are many, with an LSTM of PyTorch. `vowels_rnnc.py` is the same with a cell written as equations.
"""

import argparse
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

DATA = Path(__file__).resolve().parents[3] / "models" / "data"


def read(path):
    """Utterances [frames, 12] and their speakers, from the text format of the UEA archive."""
    examples = []
    for line in path.read_text().split("@data\n")[1].splitlines():
        *channels, speaker = line.split(":")
        series = torch.tensor([[float(v) for v in channel.split(",")] for channel in channels])
        examples.append((series.T, int(speaker) - 1))
    return examples


def collate(examples):
    series, speakers = zip(*examples)
    lengths = torch.tensor([len(s) for s in series])
    return pad_sequence(series, batch_first=True), lengths, torch.tensor(speakers)


class Speaker(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.rnn = nn.LSTM(12, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 9)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.rnn(packed)
        return self.head(h[-1])


def accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        right = [(model(x, lengths).argmax(-1) == speaker).float() for x, lengths, speaker in loader]
    return torch.cat(right).mean().item()


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--epochs", type=int, default=30)
    arguments.add_argument("--examples", type=int, help="so many utterances only")
    options = arguments.parse_args()
    torch.manual_seed(1)

    train, test = (read(DATA / f"JapaneseVowels_{part}.ts") for part in ("TRAIN", "TEST"))
    step = len(train) // options.examples if options.examples else 1
    batches = DataLoader(train[::step], batch_size=16, shuffle=True, collate_fn=collate)
    held_out = DataLoader(test[::step], batch_size=64, collate_fn=collate)

    model = Speaker()
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    begin = time.perf_counter()
    for epoch in range(options.epochs):
        model.train()
        total = 0.0
        for x, lengths, speaker in batches:
            loss = nn.functional.cross_entropy(model(x, lengths), speaker)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            total += loss.item() * len(speaker)
        print(f"epoch {epoch + 1}: loss {total / len(batches.dataset):.4f}")
    print(f"held out: {accuracy(model, held_out):.1%} right, {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()
