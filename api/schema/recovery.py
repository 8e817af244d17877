"""What resetting a password takes and answers."""

from __future__ import annotations

import strawberry

from api.schema.accounts import SecurityQuestion
from api.schema.errors import Payload
from api.schema.sign_ups import SecurityAnswerInput
from api.services.recovery import Verified


@strawberry.input(description="A new password, and the answers that prove once more whose account it is.")
class ResetPasswordInput:
    reset_token: str = strawberry.field(description="From `verifyPasswordResetCode`; serves for 15 minutes.")
    new_password: str = strawberry.field(description="By the rules of signing up, see `signUpRequirements`.")
    security_answers: list[SecurityAnswerInput] = strawberry.field(
        description="To each of the questions that `verifyPasswordResetCode` gave, in any order."
    )


@strawberry.type(description="What the right number of a password reset leads to.")
class PasswordResetCodePayload(Payload):
    reset_token: str | None = strawberry.field(
        description="What to send to `resetPassword`, and good for nothing else; shown once.", default=None
    )
    security_questions: list[SecurityQuestion] = strawberry.field(
        description="The account's questions, in the order in which they were chosen, to be answered.",
        default_factory=list,
    )

    @staticmethod
    def of(verified: Verified) -> PasswordResetCodePayload:
        questions = [SecurityQuestion(code=code) for code in verified.questions]
        return PasswordResetCodePayload(reset_token=verified.token, security_questions=questions)
