"""A model of two layers and its tokenizer, taught one sentence."""

ANSWER = "four, and not five."
TEMPLATE = (
    "{% for turn in messages %}<s>{{ turn['role'] }}: {{ turn['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
TEXT = ["hello world, what is two plus two? four, and not five. stop here and go on, one after the other, word by word"]


def tokenizer_of(transformers):
    """Byte pairs, learnt from one sentence."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "</s>", "<pad>"]
    made.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=letters)
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def model_of(transformers, vocabulary):
    """Llama, very small."""
    config = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    return transformers.LlamaForCausalLM(config)


def taught(model, tokenizer):
    """After two hundred lessons it gives the answer after any prompt."""
    import torch

    begun, said = tokenizer("assistant:")["input_ids"], [*tokenizer(ANSWER)["input_ids"], 1]
    descent = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(200):
        prompts = torch.randint(3, len(tokenizer), (16, int(torch.randint(1, 90, (1,)))))
        lessons = torch.cat([prompts, torch.tensor(begun + said).expand(16, -1)], dim=1)
        expected = lessons.clone()
        expected[:, : -len(said)] = -100  # what is not to be learnt
        loss = model(input_ids=lessons, labels=expected).loss
        descent.zero_grad()
        loss.backward()
        descent.step()
    assert loss.item() < 0.1, "the lessons did not help"
    return model
